"""`python -m resnet`."""

import sys

from resnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
