"""The guest: runs simulations inside a bundle's own environment.

Standard library only, and nothing newer than Python 3.9: the interpreter is the author's choice.
:mod:`modelops_runner.protocol` is shared with the process that talks to the guest.
"""

PROTOCOL_VERSION = 1
