"""The event stream: what is published, to whom, and from where a client resumes."""
