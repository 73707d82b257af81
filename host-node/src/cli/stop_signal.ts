// How a command that runs until it is told to stop hears of it.

/** Resolves at SIGINT or SIGTERM. A second signal ends the process in the usual way. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    // A listener for a signal does not keep the process alive; the listening socket does.
    const stop = () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
