// Matches a request with the answer that a callback delivers later.

import type { Answer } from './messages.ts';

const DEFAULT_TIMEOUT_MS = 1000;

export interface ResponseWaiter {
  /** Sends a request and waits for the next answer, an error or the time limit. */
  request(send: () => void): Promise<Answer>;
  resolve(line: string): void;
  /** Fails the pending request. */
  reject(error: Error): void;
  /** Fails the pending request and all later ones. */
  close(error: Error): void;
}

export function createResponseWaiter(timeoutMs = DEFAULT_TIMEOUT_MS): ResponseWaiter {
  let waiting: PromiseWithResolvers<Answer> | undefined;
  let broken: Error | undefined;
  return {
    request(send) {
      const answer = Promise.withResolvers<Answer>();
      waiting = answer;
      if (broken) answer.reject(broken);
      else send();
      const timer = setTimeout(() => answer.reject(timeout()), timeoutMs);
      return answer.promise.finally(() => clearTimeout(timer));
    },
    resolve: (line) => waiting?.resolve(JSON.parse(line)),
    reject: (error) => waiting?.reject(error),
    close(error) {
      broken ??= error;
      waiting?.reject(broken);
    },
  };
}

function timeout(): Error {
  return Object.assign(new Error('No answer in time'), { code: 'ETIMEDOUT' });
}
