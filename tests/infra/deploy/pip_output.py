"""Output of pip, recorded from runs of pip 23.2.1 and 26.3 with its output in a pipe, as in MWAA's containers.

Only hosts, paths and long lists are shortened. MWAA adds `[LEVEL] - ` before each line.
"""

from __future__ import annotations

# pip install -r: one package is new.
SUCCESS = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
Collecting humanize==4.0.0 (from -r requirements.txt (line 1))
  Downloading humanize-4.0.0-py3-none-any.whl (97 kB)
     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 97.7/97.7 kB 179.2 MB/s eta 0:00:00
Installing collected packages: humanize
Successfully installed humanize-4.0.0
"""

# The same again.
SATISFIED = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
Requirement already satisfied: humanize==4.0.0 in ./lib/python3.11/site-packages (from -r r.txt (line 1)) (4.0.0)
"""

# humanize is installed, numpy's page does not arrive, and SIGTERM ends pip, which prints nothing about it.
STOPPED = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
Requirement already satisfied: humanize in ./lib/python3.11/site-packages (from -r requirements.txt (line 2)) (4.0.0)
"""

# The index answers 401; a constraint pins numpy.
EXPIRED_TOKEN = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
WARNING: 401 Error, Credentials not correct for https://index/pypi/data/simple/numpy/
ERROR: Cannot install numpy because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested numpy
    The user requested (constraint) numpy==1.26.4

To fix this you could try to:
1. loosen the range of package versions you've specified
2. remove package versions to allow pip attempt to solve the dependency conflict

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/#dealing-with-dependency-conflicts
"""

NO_SUCH_VERSION = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
ERROR: Could not find a version that satisfies the requirement humanize==999.0 (from versions: 0.1, 4.16.0, 4.17.0)
ERROR: No matching distribution found for humanize==999.0
"""

NO_FILE = """\
ERROR: Could not open requirements file: [Errno 2] No such file or directory: '/usr/local/airflow/dags/codeartifact.txt'
"""

CONFLICT = """\
ERROR: Cannot install a and b because these package versions have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/#dealing-with-dependency-conflicts
"""

# Exit status 0: requests and urllib3 are there, and urllib3 is replaced by one that is too old for requests.
RESOLVER_COMPLAINS = """\
Looking in indexes: https://aws:****@index/pypi/data/simple/
Collecting urllib3==1.20 (from -r requirements.txt (line 1))
  Downloading urllib3-1.20-py2.py3-none-any.whl (111 kB)
Installing collected packages: urllib3
  Attempting uninstall: urllib3
    Found existing installation: urllib3 2.8.0
    Uninstalling urllib3-2.8.0:
      Successfully uninstalled urllib3-2.8.0
ERROR: pip's dependency resolver does not currently take into account all the packages that are installed. This behaviour is the source of the following dependency conflicts.
requests 2.31.0 requires urllib3<3,>=1.21.1, but you have urllib3 1.20 which is incompatible.
Successfully installed urllib3-1.20
"""  # noqa: E501

# pip 23.2; its own lines have no ERROR, and a build's output is indented.
FAILED_BUILD = """\
Processing ./bw
  Installing build dependencies: started
  Installing build dependencies: finished with status 'done'
  Getting requirements to build wheel: started
  Getting requirements to build wheel: finished with status 'error'
  error: subprocess-exited-with-error
  
  × Getting requirements to build wheel did not run successfully.
  │ exit code: 1
  ╰─> [2 lines of output]
      Successfully installed something-1.0
      boom
      [end of output]
  
  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error

× Getting requirements to build wheel did not run successfully.
│ exit code: 1
╰─> See above for output.

note: This error originates from a subprocess, and is likely not a problem with pip.
"""  # noqa: W293, RUF001

UNKNOWN_OPTION = """\
Usage: pip [options]

ERROR: Invalid requirement: --foo
pip: error: no such option: --foo
"""

# MWAA's lines before pip's if requirements.txt names no constraints (its image: user_requirements.py).
FORCED_CONSTRAINTS = """\
WARNING: Constraints should be specified for requirements.txt. Please see https://docs.aws.amazon.com/mwaa/
Forcing local constraints
"""
