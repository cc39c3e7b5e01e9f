"""Builds a wheel, with the pages' libraries and the compiled modules in it; all else is in setup.cfg."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from fetch_libraries import CannotFetch, fetch

WITHOUT_PAGES = "OCPP_TW_WITHOUT_PAGES"
WITHOUT_COMPILED = "OCPP_TW_WITHOUT_COMPILED"


class BuildWithLibraries(build_py):
    """Fetches the libraries before the files of the package are collected. An editable install has them from `make install`."""

    def run(self) -> None:
        if not self.editable_mode and not os.environ.get(WITHOUT_PAGES):
            try:
                fetch()
            except CannotFetch as why:
                sys.exit(f"the pages need their libraries: {why}. {WITHOUT_PAGES}=1 builds a gateway without pages")
            self.__dict__.pop("data_files", None)  # they may have been listed before
        super().run()


def compiled() -> list[Extension]:
    """The compiled modules. They are optional: where there is no compiler, they are left out with a warning, and the gateway works without them."""
    if os.environ.get(WITHOUT_COMPILED):
        return []
    from Cython.Build import cythonize

    names = ("frames", "names", "readings")
    arguments = [] if sys.platform == "win32" else ["-g0"]  # symbols for a debugger make it ten times as large
    modules = [
        Extension(f"ocpp_tw.ocpp.compiled.{name}", [f"ocpp_tw/ocpp/compiled/{name}.pyx"], extra_compile_args=arguments) for name in names
    ]
    extensions: list[Extension] = cythonize(modules, build_dir="build", language_level=3)
    for extension in extensions:
        extension.optional = True  # cythonize does not pass it on
    return extensions


setup(cmdclass={"build_py": BuildWithLibraries}, ext_modules=compiled())
