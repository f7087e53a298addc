"""What listens to a decoded track: analysers, what is registered, and how several hear one decode."""
