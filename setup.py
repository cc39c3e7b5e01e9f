"""Builds a wheel, with the pages' libraries in it; all else is in setup.cfg."""

import os
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from fetch_libraries import CannotFetch, fetch

WITHOUT = "OCPP_TW_WITHOUT_PAGES"


class BuildWithLibraries(build_py):
    """Fetches the libraries before the files of the package are collected. An editable install has them from `make install`."""

    def run(self) -> None:
        if not self.editable_mode and not os.environ.get(WITHOUT):
            try:
                fetch()
            except CannotFetch as why:
                sys.exit(f"the pages need their libraries: {why}. {WITHOUT}=1 builds a gateway without pages")
            self.__dict__.pop("data_files", None)  # they may have been listed before
        super().run()


setup(cmdclass={"build_py": BuildWithLibraries})
