"""The demo's line for another shell says where everything is, and nothing else."""

import shlex

from demo.shell import export


def test_it_names_the_server_and_what_doctor_looks_at() -> None:
    environment = {
        "OS_ZOOKEEPER__HOSTS": "127.0.0.1:1",
        "OS_MONGO__URI": "mongodb://127.0.0.1:2/?replicaSet=rs0&w=1",
        "OS_CASSANDRA__PORT": "3",
        "OS_CANARY__JOBBOARD": "/it's/mine",
        "OS_SERVER__PORT": "4",
        "OS_ZOOKEEPER__PASSWORD": "secret",
        "OS_ZOOKEEPER__KEY_PASSWORD": "secret",
        "OS_PASSWORD": "secret",
        "HOME": "/root",
    }
    line = export("http://127.0.0.1:4/", environment)
    assert "\n" not in line
    assert shlex.split(line) == [
        "export",
        "CANARY_URL=http://127.0.0.1:4",
        "OS_CANARY__JOBBOARD=/it's/mine",
        "OS_CASSANDRA__PORT=3",
        "OS_MONGO__URI=mongodb://127.0.0.1:2/?replicaSet=rs0&w=1",
        "OS_ZOOKEEPER__HOSTS=127.0.0.1:1",
    ]
