"""AWS CodeArtifact on one machine: the control plane that boto3 speaks and the package index that pip speaks.

Both are WSGI applications over one ``CodeArtifact`` state; infra/local/server.py mounts them.
"""
