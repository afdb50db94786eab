"""The monitor: samples this host's services and keeps what they did in the database."""
