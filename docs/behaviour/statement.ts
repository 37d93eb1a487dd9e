// The shape of the table that leads from what a service proxy has to do to the tests that show it.

/** One test: its file, from the top of the project, and its title. */
export interface TestName {
  readonly file: string;
  readonly title: string;
}

/** Something that kube-proxy does otherwise, and that is better here. */
export interface Improvement {
  /** What kube-proxy does. */
  readonly kubeProxy: string;
  /** The test that is there for this alone. */
  readonly test: TestName;
}

/** One thing that a service proxy has to do. */
export interface Statement {
  /** The section and a number without gaps, `services.1`. */
  readonly id: string;
  /** One sentence: what is so here. */
  readonly text: string;
  readonly tests?: readonly TestName[] | undefined;
  /** Why there is no test, or what of it has none. */
  readonly untested?: string | undefined;
  readonly improvements?: readonly Improvement[] | undefined;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** How many statements there have to be: one that is dropped is noticed. */
  readonly count: number;
  readonly statements: readonly Statement[];
}
