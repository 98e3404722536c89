"""`saltant up`: server and worker in one process, over one folder."""
