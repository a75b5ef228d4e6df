"""Counts the import circles of qprep over all imports: those inside functions and for type checking included."""

from __future__ import annotations

import sys
from graphlib import CycleError, TopologicalSorter

import grimp


def main() -> int:
    """Print the count; 1 and one circle where there is any."""
    graph = grimp.build_graph("qprep", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        print("import circle:", " -> ".join(reversed(error.args[1])))
        return 1
    print(f"import circles: 0 in {len(graph.modules)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
