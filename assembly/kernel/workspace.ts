// One large static buffer, lent to whoever has a large thing to put together: the PEM of a
// configuration document, the answers of fleet provisioning, what is sent over BLE, and then, for
// the rest of the life, the ring of messages for the application. The first three happen before the
// thing's connection is opened, and never at the same time, so that one buffer serves all; system/
// sees to that.

/** The create-keys answer of AWS is about 4 KB; its key in the CSR variant lies before it. */
export const WORKSPACE_BYTES: i32 = 5120;
export const WORKSPACE: usize = memory.data(WORKSPACE_BYTES, 4);
