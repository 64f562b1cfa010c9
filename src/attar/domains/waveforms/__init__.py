"""Made signals: bumps, chirps, bursts and steps in coloured noise, drift and hum; rules about them; what to beat."""
