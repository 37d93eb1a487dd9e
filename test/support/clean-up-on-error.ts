// Cleans up after a set-up that failed halfway.

/** Runs the rest of a set-up. If it fails, runs `cleanUp` and rejects with the error. */
export async function cleanUpOnError<T>(cleanUp: () => Promise<void>, setUp: () => Promise<T>): Promise<T> {
  try {
    return await setUp();
  } catch (error) {
    await cleanUp();
    throw error;
  }
}
