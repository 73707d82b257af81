// Generates the ports of iot32-replay (host-esp32/linux/replay): for each import a function that
// compares what its thunk hands over with the call that the trace has next, and answers as the host
// of the trace did. So a thunk that unpacks something else, or checks less, shows.

import { cParameters } from "./c.js";
import { type Abi, type Call, isSlice, type Param } from "./model.js";
import { bracketed, GENERATED, joinLines, lineComment } from "./text.js";

/** Imports that host_loop.c performs itself; the linker leads their thunks here first (--wrap). */
const OWN_IMPORTS: readonly string[] = ["sys_restart", "sys_panic"];

function check({ name, type }: Param): string {
  const size = type === "in" || type === "out" ? `, ${name}_size` : "";
  return `  replay_${type}("${name}", ${name}${size});`;
}

/** What a port answers that performs its import: where the call is another, it is not performed. */
function ownAnswer(call: Call): string[] {
  const values = call.params.flatMap((param) =>
    isSlice(param) ? [param.name, `${param.name}_size`] : [param.name],
  );
  return [
    "  if (!replay_is_same() || replay_answer() < 0) {",
    "    return replay_answer();",
    "  }",
    ...bracketed(`return __real_host_${call.name}(`, values, ");", "  ", ""),
  ];
}

function port(call: Call): string[] {
  const isOwn = OWN_IMPORTS.includes(call.name);
  const name = isOwn ? `__wrap_host_${call.name}` : `host_${call.name}`;
  const parameters = cParameters(call);
  const own = bracketed(`int32_t __real_host_${call.name}(`, parameters, ");", "", "");
  return [
    "",
    ...(isOwn ? own : []),
    ...bracketed(`int32_t ${name}(`, parameters, ") {", "", ""),
    `  replay_port("${call.name}");`,
    ...call.params.map(check),
    ...(isOwn ? ownAnswer(call) : ["  return replay_answer();"]),
    "}",
  ];
}

export function generateReplayPorts(abi: Abi): string {
  return joinLines([
    `// ${GENERATED}`,
    "//",
    ...lineComment(
      "The ports of iot32-replay: each compares what its thunk hands over with the next call of " +
        "the trace, and answers from there. What host_loop.c performs itself is performed too.",
    ),
    "",
    '#include "replay.h"',
    ...abi.imports.flatMap(port),
  ]);
}
