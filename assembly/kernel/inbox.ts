// Where the host puts the payload of an event, before dispatch. Once the event is read, and until
// the step ends, it is room in which the requests of shadows and jobs are put together
// (aws/topics.ts).

import { INBOX_BYTES } from "../abi/host";

export const INBOX: usize = memory.data(INBOX_BYTES, 4);
