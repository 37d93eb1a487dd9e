// Statements about the behavior of the proxy, with the tests that verify them.

/** A test, by its file, relative to the root of the repository, and its title. */
export interface TestName {
  readonly file: string;
  readonly title: string;
}

/** An improvement over kube-proxy. */
export interface Improvement {
  /** What kube-proxy does. */
  readonly kubeProxy: string;
  /** A test of this improvement alone. */
  readonly test: TestName;
}

export interface Statement {
  /** The section and a consecutive number: `services.1`. */
  readonly id: string;
  /** One sentence. */
  readonly text: string;
  readonly tests?: readonly TestName[] | undefined;
  /** Why there is no test, or which part has none. */
  readonly untested?: string | undefined;
  readonly improvements?: readonly Improvement[] | undefined;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** The number of statements, so that a removed one is noticed. */
  readonly count: number;
  readonly statements: readonly Statement[];
}
