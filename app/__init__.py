"""The app role: pages, browser sockets, worksheets; and under `sage`, the Sage pool."""
