"""Tests: tables for rules, the real PostgreSQL, memcached, Sage and browser for the rest."""
