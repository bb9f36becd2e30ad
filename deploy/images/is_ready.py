"""Exit 0 when the service in this container answers `GET /readyz` with 200."""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
try:
    connection.request("GET", "/readyz")
    ready = connection.getresponse().status == http.client.OK
except OSError:
    ready = False
sys.exit(0 if ready else 1)
