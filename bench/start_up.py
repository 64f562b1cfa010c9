"""What it costs to start: `import attar` and `attar --help`, CPU seconds of the whole process, bare Python beside.

python bench/start_up.py
"""

import resource
import statistics
import subprocess
import sys

COMMANDS = {
    "bare python": ["-c", "pass"],
    "import attar": ["-c", "import attar"],
    "attar --help": ["-m", "attar.cli", "--help"],
    "import torch": ["-c", "import torch"],
}


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    print(f"{'':<14} {'min':>7} {'median':>7}   CPU s over 7 runs")
    for name, arguments in COMMANDS.items():
        cpu_seconds(arguments)
        runs = [cpu_seconds(arguments) for _ in range(7)]
        print(f"{name:<14} {min(runs):>7.3f} {statistics.median(runs):>7.3f}")


if __name__ == "__main__":
    main()
