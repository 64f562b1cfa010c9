"""What goes wrong, in two kinds: the input is wrong, or the model cannot do what was asked."""


class AttarError(Exception):
    """Something the user can mend. The message is one line: what came, what was expected, what to do."""


class InputError(AttarError, ValueError):
    """The data, a file, a rule or an option is wrong. The command line ends with exit status 2."""


class UnsupportedError(AttarError, TypeError):
    """The model does not offer what the method needs."""
