// Circles in graphs of files or folders.

/** The first circle in a graph, as its nodes in order, or undefined. */
export function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next, [...path, node]);
      if (circle !== undefined) return circle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const circle = visit(node, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** The graph of groups of nodes. Edges inside a group are left out. */
export function groupGraph(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  groupOf: (node: string) => string,
): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const [node, targets] of graph) {
    const from = groupOf(node);
    const known = groups.get(from) ?? new Set();
    groups.set(from, known);
    for (const target of targets) if (groupOf(target) !== from) known.add(groupOf(target));
  }
  return groups;
}
