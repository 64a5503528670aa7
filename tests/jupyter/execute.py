"""Starts a kernel, lets it compute something, and ends it; on whichever libzmq both find."""

import zmq
from jupyter_client.manager import start_new_kernel

assert zmq.zmq_version_info() == (4, 3, 6), "this is not our library"
manager, client = start_new_kernel(startup_timeout=60)
try:
    printed = []

    def hear(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive("import zmq; print(6 * 7, zmq.zmq_version())", timeout=60, output_hook=hear)
    assert reply["content"]["status"] == "ok", reply
    assert "".join(printed) == "42 4.3.6\n", printed
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print("the kernel answered")
