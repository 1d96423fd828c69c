"""AWS CodeArtifact on one machine: the control plane that boto3 speaks and the package index that pip speaks.

Both are WSGI applications over one ``CodeArtifact`` state, and any threaded WSGI server can mount them::

    from infra.local.codeartifact.control_plane import control_plane
    from infra.local.codeartifact.index import index
    from infra.cli.pip_settings import read_pip_settings
    from infra.local.codeartifact.store import CodeArtifact
    from infra.local.codeartifact.upstream import Upstream

    state = CodeArtifact(now=lambda: datetime.now(UTC), packages_dir=Path("packages"))
    with Upstream(read_pip_settings()) as upstream:
        api = control_plane(state, lambda: "http://127.0.0.1:5000")  # routes /v1/…
        pypi = index(state, upstream)  # routes /<domain>-<owner>/pypi/<repository>/…
"""
