"""The platform: seven stages from monitoring to reporting, run as a closed loop."""
