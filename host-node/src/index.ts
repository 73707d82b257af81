// The Node host as a library: build a module, run a device, watch it.

export * from "./abi.js";
export { Central, CentralError, type CentralOptions, type Gatt } from "./ble/central.js";
export { SocketPeripheral } from "./ble/gatt_socket.js";
export { SocketGatt } from "./ble/gatt_socket_client.js";
export type { Characteristic, Peripheral, PeripheralListener } from "./ble/peripheral.js";
export { configure, SetupError, type SetupOptions, type SetupOutcome } from "./ble/setup.js";
export { type VerifierDocument, verifierDocument } from "./ble/verifier_document.js";
export { BootError } from "./boot/bootloader.js";
export {
  BuildError,
  type BuildOptions,
  type BuildResult,
  buildModule,
  TARGETS,
  type Target,
} from "./build.js";
export { type Clock, realClock, type TimerHandle } from "./clock.js";
export type { PublishEvent } from "./cloud/broker.js";
export { Core, CoreError, type CoreEvent, type CoreHooks, CoreTrap } from "./core.js";
export { type CoreSnapshot, snapshotable } from "./core_snapshot.js";
export {
  type BootReport,
  Device,
  type DeviceEvents,
  type DeviceOptions,
  formatMac,
  type ModeChange,
  type OffReport,
  parseMac,
  type RunningFirmware,
  type RunningModule,
  type TrapReport,
} from "./device.js";
export { FLASH_BYTES, FlashImage, FlashImageError } from "./flash_image.js";
export { type HeapLayout, heapInUse, heapLayout } from "./heap_in_use.js";
export {
  checkPartitions,
  decodePartitions,
  encodePartitions,
  type Partition,
  PartitionTableError,
  parsePartitionCsv,
} from "./partitions.js";
export type { LogLine, SystemEvent } from "./ports/log.js";
export { Air, DEFAULT_NETWORKS, type Network, readNetworks } from "./ports/wifi.js";
export type { SimDevice } from "./sim/device.js";
export { EnginePool } from "./sim/engine.js";
export {
  FAULT_PROFILES,
  type FaultChoice,
  type FaultProfile,
  faultProfile,
  type Occurrence,
} from "./sim/faults.js";
export type { Invariant, Report } from "./sim/invariants/invariant.js";
export { promises } from "./sim/invariants/promises.js";
export { storedData } from "./sim/invariants/stored_data.js";
export { type Listener, standardInvariants, type Violation } from "./sim/monitor.js";
export type { Scenario, ScenarioStep } from "./sim/scenario.js";
export { SCENARIOS, type ScenarioName } from "./sim/scenarios.js";
export {
  BIRTHS,
  type Birth,
  describeViolation,
  Simulation,
  SimulationError,
  type SimulationOptions,
  type SimulationReport,
} from "./sim/simulation.js";
export { type SweepOptions, type SweepReport, sweep } from "./sim/sweep.js";
export { runTrial, type Shortened, shorten, type Trial, type TrialOptions } from "./sim/trial.js";
export type { WorkloadRates } from "./sim/workload.js";
export type { World } from "./sim/world.js";
export type { Happening, TraceLine } from "./trace/lines.js";
export { TraceError } from "./trace/lines.js";
export { parseTrace } from "./trace/parser.js";
export { type TraceReaders, TraceRedactor } from "./trace/redact.js";
export { NO_REDACTION, type Redactor } from "./trace/redactor.js";
export {
  type ModuleSource,
  type ReplayDifference,
  type ReplayOptions,
  type ReplayResult,
  replayTrace,
} from "./trace/replay.js";
export type { MachineState } from "./trace/states.js";
export { TraceWriter } from "./trace/writer.js";
export { link, type ModuleStats, moduleStats } from "./wasm_link.js";
