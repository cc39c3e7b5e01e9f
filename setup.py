"""Builds a wheel, with the pages' libraries and the compiled modules in it; all else is in setup.cfg."""

import os
import runpy
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from fetch_libraries import CannotFetch, fetch

ROOT = Path(__file__).parent
WITHOUT_PAGES = "OCPP_TW_WITHOUT_PAGES"
WITHOUT_COMPILED = "OCPP_TW_WITHOUT_COMPILED"

COMPILED = "ocpp_tw/ocpp/compiled"
IN_PLACE = {"editable_wheel", "develop", "build_ext"}
"""The commands that build into the checkout."""


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


def remove_others(digest: str) -> None:
    """Remove modules that an earlier build has left, unless they are of these sources: this build may leave them out. "": remove all of them that it may write."""
    directories = [each / COMPILED for each in ROOT.glob("build/lib*")]
    if digest or IN_PLACE & set(sys.argv):
        directories.append(ROOT / COMPILED)
    for module in [each for directory in directories for each in directory.glob("*.so")]:
        if not digest or digest.encode() not in module.read_bytes():
            module.unlink()


def compiled() -> list[Extension]:
    """The compiled modules. They are optional: what cannot be built is left out, and the gateway works without."""
    sources = runpy.run_path(str(ROOT / COMPILED / "sources.py"))
    if os.environ.get(WITHOUT_COMPILED):
        remove_others("")
        return []
    digest: str = sources["digest"]()
    remove_others(digest)
    try:
        from Cython.Build import cythonize
    except ImportError:
        print("warning: the compiled modules are left out, as there is no Cython", file=sys.stderr)
        return []
    arguments = [] if sys.platform == "win32" else ["-g0"]  # symbols for a debugger make it ten times as large
    macros = [("OF_SOURCES", f'"{digest}"')]
    modules = [
        Extension(f"ocpp_tw.ocpp.compiled.{name}", [f"{COMPILED}/{name}.pyx"], define_macros=macros, extra_compile_args=arguments)
        for name in ("frames", "readings")
    ]
    extensions: list[Extension] = cythonize(modules, build_dir="build", language_level=3, force=True, quiet=True)
    for extension in extensions:
        extension.optional = True  # cythonize does not pass it on
        extension.depends = [str(each) for each in sources["files"]()]
    return extensions


setup(cmdclass={"build_py": BuildWithLibraries}, ext_modules=compiled())
