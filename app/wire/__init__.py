"""The protocol: messages, and the streams that carry them."""
