"""Salvus and Jupyter Server with the Sage kernel, measured side by side in one run."""
