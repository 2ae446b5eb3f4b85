"""Lets a voice bot take payments: tools of the Model Context Protocol over the HTTP API."""
