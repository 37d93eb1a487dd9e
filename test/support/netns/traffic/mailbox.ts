// Joins a question to the answer that a callback brings later.
import type { Answer } from './traffic.ts';

const DEFAULT_TIMEOUT_MS = 1000;

export interface Mailbox {
  /** Sends a question and waits for the next answer, failure or the end of the time. */
  next(send: () => void): Promise<Answer>;
  deliver(line: string): void;
  /** Fails the question that waits. */
  fail(error: Error): void;
  /** Fails the question that waits and all later ones. */
  break(error: Error): void;
}

export function createMailbox(timeoutMs = DEFAULT_TIMEOUT_MS): Mailbox {
  let waiting: PromiseWithResolvers<Answer> | undefined;
  let broken: Error | undefined;
  return {
    next(send) {
      const answer = Promise.withResolvers<Answer>();
      waiting = answer;
      if (broken) answer.reject(broken);
      else send();
      const timer = setTimeout(() => answer.reject(timeout()), timeoutMs);
      return answer.promise.finally(() => clearTimeout(timer));
    },
    deliver: (line) => waiting?.resolve(JSON.parse(line)),
    fail: (error) => waiting?.reject(error),
    break(error) {
      broken ??= error;
      waiting?.reject(broken);
    },
  };
}

function timeout(): Error {
  return Object.assign(new Error('No answer in time'), { code: 'ETIMEDOUT' });
}
