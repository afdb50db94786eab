"""The supervisor: owns every other process of this host."""
