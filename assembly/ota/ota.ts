// Updates over the air. A job brings the order (order.ts); its first bytes are judged (check.ts)
// before one is written; then it is downloaded to the next slot (download.ts); what lies in
// flash is hashed and its signature verified; the service is asked whether the job still stands;
// and only then, with a record of it in flash, the next slot is made the one that boots. From
// there on it is trial.ts's. Whatever goes wrong after the first write ends in a restart from
// the slot that runs, as nothing has changed it. Made when the application asks for updates
// (library/ota.ts). Source: ESP-IDF Programming Guide, «Over The Air Updates (OTA)».

import {
  DIGEST_BYTES,
  Dataset,
  EventKind,
  JobStatus,
  LogLevel,
  LogModule,
  OtaState,
  OtaTarget,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  cryptoVerify,
  otaActivate,
  otaDigest,
} from "../abi/host";
import { Client, add } from "../aws/client";
import * as job from "../aws/job_in_hand";
import { Phase } from "../aws/job_in_hand";
import * as message from "../aws/job_message";
import * as jobs from "../aws/jobs";
import { log } from "../kernel/log";
import { Timer, clearTimer } from "../kernel/timers";
import { equal, textSize } from "../util/bytes";
import * as check from "./check";
import * as download from "./download";
import { Failure, describe } from "./failure";
import { Action, Input, detail, fail, failure, setDeadline, step } from "./machine";
import * as machine from "./machine";
import * as order from "./order";
import * as record from "./record";
import { Stage } from "./record";
import * as trial from "./trial";

/** Hashing a slot, and then verifying the signature, take less. */
const VERIFY_MS: u32 = 60000;

let isPrepared: bool = false;
let target: u8 = 0;
/** RECORD waits for flash. */
let isRecording: bool = false;
/** The next slot is the one that boots. */
let isActivated: bool = false;
/** The application holds the restart. */
let isHeld: bool = false;

/** Takes updates from now on; called from setup(). */
export function prepare(): void {
  if (isPrepared) return;
  isPrepared = true;
  jobs.prepare();
  order.prepare();
  check.prepare();
  download.prepare();
  machine.onAction(act);
  message.watchForUpdate(new order.Order());
  job.workOnUpdates(new Updater());
  add(new Updates());
  trial.acceptUpdates();
}

/** Holds the restart into an update that is ready, or lets it happen. */
export function hold(held: bool): void {
  isHeld = held;
  if (!held && isActivated) trial.restartInto(target);
}

function act(action: u8): void {
  switch (action) {
    case Action.REQUEST:
      download.request();
      break;
    case Action.TAKE:
      download.take();
      break;
    case Action.READ:
      download.read();
      break;
    case Action.AWAIT:
      download.enterWriting();
      awaitModule();
      break;
    case Action.DIGEST:
      setDeadline(VERIFY_MS);
      if (otaDigest(bytes()) < 0) fail(Failure.FLASH, 0);
      break;
    case Action.RETRY_LATER:
      download.retryLater();
      break;
    case Action.FAIL:
      conclude();
      break;
    case Action.TELL:
      setDeadline(u32.MAX_VALUE);
      tell();
      break;
    case Action.RECORD:
      keep();
      break;
    case Action.ACTIVATE:
      clearTimer(Timer.OTA);
      if (otaActivate() < 0) fail(Failure.NOT_BOOTABLE, 0);
      break;
    case Action.RESTART:
      isActivated = true;
      if (!isHeld) trial.restartInto(target);
      break;
  }
}

/** Bytes of the update, when it is whole. */
function bytes(): u32 {
  return order.hasModule() ? order.inlineBytes : download.written;
}

class Updater extends job.Worker {
  takes(): bool {
    return order.target() >= 0;
  }

  survives(): bool {
    return true;
  }

  /** The record of the job is about to be written; it says, too, what the slot holds then. */
  onTaken(): void {
    target = <u8>order.target();
    if (!record.isOf(target, order.size, order.sha256())) {
      record.begin(target, order.size, order.sha256());
    }
  }

  begin(_attempt: u8): void {
    machine.begin();
    download.begin(target, record.checkpoint());
    isActivated = false;
    const why = objection();
    if (why != Failure.NONE) {
      fail(why, order.detail);
      return;
    }
    if (order.signature() == 0) log(LogLevel.WARNING, LogModule.OTA, utf8("UNSIGNED update"));
    step(order.hasModule() ? Input.INLINE : Input.BEGIN);
  }

  cancel(): void {
    machine.cancel();
  }

  /** An update that was activated before the restart: trial.ts knows how it came out. */
  resolve(): bool {
    if (record.stage() != Stage.ACTIVATING && record.stage() != Stage.REFUSED) return false;
    record.setStage(Stage.ENDED);
    if (trial.state == OtaState.CONFIRMED) {
      record.setFailure(Failure.NONE, 0);
      job.finish(JobStatus.SUCCEEDED, utf8(""));
    } else {
      job.finish(JobStatus.FAILED, describe(record.failure(), record.number()));
    }
    return true;
  }

  onTold(): void {
    step(Input.TOLD);
  }
}

/** What speaks against the order before anything is asked of the server. */
function objection(): u8 {
  if (order.failure != Failure.NONE) return order.failure;
  if (!order.hasModule() && !order.hasUrl()) return Failure.NO_SOURCE;
  if (trial.allowsUnsigned) return Failure.NONE;
  if (order.signature() == 0) return Failure.UNSIGNED;
  return trial.key == 0 ? Failure.NO_KEY : Failure.NONE;
}

/** Whole, and good. The answer to this report shows that the job still stands. */
function tell(): void {
  const words = utf8("verified");
  job.setProgress(words, textSize(words), 0, true);
}

/** From here on, what boots next has to account for the update. */
function keep(): void {
  record.setStage(Stage.ACTIVATING);
  record.setFrom(target == OtaTarget.FIRMWARE ? trial.firmwareSlot : trial.moduleSlot);
  isRecording = true;
  record.write();
}

/** It came to nothing: the job hears why, and the device starts anew if its slot was touched. */
function conclude(): void {
  clearTimer(Timer.OTA);
  download.stop();
  order.release();
  isRecording = false;
  if (job.phase() == Phase.STARTED) {
    record.setStage(Stage.ENDED);
    record.setFailure(failure, detail);
    const isRefusal = failure < Failure.FAILED && !download.hasBegun;
    const status = isRefusal ? JobStatus.REJECTED : JobStatus.FAILED;
    job.finish(status, describe(failure, detail));
  } else {
    record.setStage(Stage.NONE);
    record.write();
  }
  if (!download.hasBegun) return;
  job.hold(true);
  trial.restartAfterFailure();
}

/** The last write of a module that came in the document may be under way still. */
function awaitModule(): void {
  if (order.failure != Failure.NONE) {
    fail(order.failure, order.detail);
  } else if (order.pendingWrites == 0) {
    const missing = <i32>order.size - <i32>order.inlineBytes;
    if (order.size == 0 || missing == 0) step(Input.WHOLE);
    else fail(missing > 0 ? Failure.SHORTER : Failure.LONGER, 0);
  }
}

/** Event OTA_DONE for the digest, which is at `payload`. */
function onDigest(status: i32, payload: usize): void {
  const announced = order.sha256();
  if (status < 0) {
    fail(Failure.FLASH, status);
  } else if (announced != 0 && !equal(payload, announced, DIGEST_BYTES)) {
    fail(Failure.DIGEST, 0);
  } else if (trial.key != 0 && order.signature() != 0) {
    verify(payload);
  } else {
    step(Input.VERIFIED);
  }
}

function verify(digest: usize): void {
  const signature = order.signature();
  const status = cryptoVerify(
    trial.key,
    PUBLIC_KEY_BYTES,
    digest,
    DIGEST_BYTES,
    signature,
    SIGNATURE_BYTES,
  );
  if (status < 0) fail(Failure.SIGNATURE, 0);
}

/** Event OTA_DONE: operations are answered in their order, so the state says which it was. */
function onDone(status: i32, payload: usize): void {
  if (order.pendingWrites > 0) {
    order.onWritten(status);
    if (trial.state == OtaState.DOWNLOADING && order.hasModule()) awaitModule();
  } else if (download.isWriting()) {
    download.onChunkWritten(status);
  } else if (trial.state == OtaState.VERIFYING) {
    onDigest(status, payload);
  } else if (trial.state == OtaState.RESTARTING) {
    if (status < 0) fail(Failure.NOT_BOOTABLE, status);
    else step(Input.ACTIVATED);
  }
}

class Updates extends Client {
  /** A reason that memory lost in a restart is in the record. */
  onUp(): void {
    if (record.stage() != Stage.ENDED || record.failure() == Failure.NONE) return;
    job.recallReason(describe(record.failure(), record.number()));
  }

  onRecord(dataset: u8, status: i32): void {
    if (!isRecording || dataset != Dataset.SYSTEM_STATUS || !record.isWritten()) return;
    isRecording = false;
    if (status >= 0) step(Input.RECORDED);
    else fail(Failure.FLASH, status);
  }

  onHostEvent(kind: i32, a: i32, b: i32, payload: usize, size: i32): void {
    switch (kind) {
      case EventKind.TICK:
        download.onTimer();
        break;
      case EventKind.HTTP_RESPONSE:
        download.onResponse(a, b, payload);
        break;
      case EventKind.HTTP_BODY:
        download.onBody(payload, size);
        break;
      case EventKind.HTTP_DOWN:
        download.onDown(a);
        break;
      case EventKind.OTA_DONE:
        onDone(a, payload);
        break;
      case EventKind.CRYPTO_VERIFIED:
        if (a >= 0) step(Input.VERIFIED);
        else fail(Failure.SIGNATURE, 0);
        break;
    }
  }
}
