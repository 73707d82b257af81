// All tests of the record store. One file and one process, because each process would compile the
// store's harness again, which takes longer than most of these suites.

import "./store/nor.js";
import "./store/interface.js";
import "./store/faults.js";
import "./store/damage.js";
import "./store/power_cut.js";
import "./store/wear.js";
