// A Service that the kernel does not take.

/** The kernel's reason for the refusal. The Service is tried again when it, or its endpoints, change. */
export interface Refusal {
  readonly service: string;
  readonly reason: string;
}
