// Fleet provisioning by claim: both variants, every answer of the service, a connection or a flash
// that fails in each state, and lives that end in the middle.

import { Event, ProvisioningStep, Status } from "../../../host-node/src/abi.js";
import { claimDocument } from "../../node/support/identities.js";
import { type Answer, rejection } from "../../node/support/scripted_aws.js";
import { identityOf } from "../../node/support/scripted_broker.js";
import { expectEvent, rest, type Scenario, type Stage, statusFailsOn } from "../scenario.js";
import type { World } from "../world.js";

const application = "all";
const USED_TOKEN = rejection(400, "InvalidCertificateOwnershipToken", "used");
const THROTTLED = rejection(429, "ThrottlingException", "slow down");
const CSR = { method: "csr" };

function claiming(stage: Stage, claim: Record<string, unknown> = {}): World {
  return stage.device({ document: claimDocument(claim) });
}

/** One thing goes wrong once; afterwards the device provisions itself. */
function trouble(
  name: string,
  what: string,
  arrange: (world: World) => void,
  claim: Record<string, unknown> = {},
): Scenario {
  const play = (stage: Stage): void => {
    const world = claiming(stage, claim);
    arrange(world);
    rest(world.boot());
    expectEvent(world, Event.PROVISIONED);
  };
  return { name: `claim_${name}`, what, application, play };
}

function createFails(answer: Answer | "silent") {
  return ({ aws }: World): void => {
    const { onCreate } = aws;
    aws.onCreate = () => {
      aws.onCreate = onCreate;
      return answer;
    };
  };
}

function registerFails(answer: Answer | "silent") {
  return ({ aws }: World): void => {
    const { onProvision } = aws;
    aws.onProvision = () => {
      aws.onProvision = onProvision;
      return answer;
    };
  };
}

/** The connection is lost as soon as this step is told. */
function lostAt(step: number) {
  return (world: World): void => {
    world.onEvent = (event, value) => {
      if (event !== Event.PROVISIONING || value !== step) return;
      world.onEvent = () => {};
      world.agenda.after(1, () => world.broker.state === "up" && world.broker.drop());
    };
  };
}

/** All three places of a SYSTEM_STATUS record fail, once this step has been told. */
const statusFailsAt = (step: number) => (world: World) =>
  statusFailsOn(world, Event.PROVISIONING, step);

/** The answer to RegisterThing is lost with the power; then the token is used up. */
function tokenUsed(
  isCertificateActive: boolean,
  name: string,
  what: string,
  arrange: (world: World) => void = () => {},
): Scenario {
  const play = (stage: Stage): void => {
    const world = claiming(stage);
    const { onProvision } = world.aws;
    world.aws.onProvision = () => "silent";
    world.boot().until(() => world.aws.provisions.length === 1);
    world.powerOff();
    arrange(world);
    world.aws.onProvision = () => USED_TOKEN;
    let refusals = isCertificateActive ? 0 : 3;
    const { onConnect } = world.broker;
    world.broker.onConnect = (connect) => {
      if (world.aws.provisions.length < 2 || identityOf(connect) === "claim") {
        return onConnect(connect);
      }
      if (refusals-- > 0) {
        if (refusals === 0) world.aws.onProvision = onProvision;
        return Status.MQTT_REFUSED;
      }
      return "up";
    };
    rest(world.boot());
    expectEvent(world, Event.PROVISIONED);
  };
  return { name: `claim_${name}`, what, application, play };
}

export const provisioningScenarios: readonly Scenario[] = [
  trouble("keys", "Keys and certificate made by AWS.", () => {}),
  trouble("csr", "A key made on the device, and a signing request.", () => {}, CSR),
  trouble("csr_fails_once", "No key can be made at first.", csrFailsOnce(Status.IO_ERROR), CSR),
  trouble(
    "csr_lost",
    "The connection is lost while the key is made.",
    (world) => {
      world.csrAnswer = () => {
        world.csrAnswer = world.goodCsr;
        world.broker.drop();
        return null;
      };
    },
    CSR,
  ),
  trouble("create_rejected", "CreateKeys is throttled.", createFails(THROTTLED)),
  trouble("create_silent", "CreateKeys is not answered.", createFails("silent")),
  trouble("create_malformed", "The answer is no JSON.", createFails({ raw: "{" })),
  trouble(
    "create_lost",
    "Lost while waiting for it.",
    lostAt(ProvisioningStep.CERTIFICATE_REQUESTED),
  ),
  trouble("register_rejected", "RegisterThing is throttled.", registerFails(THROTTLED)),
  trouble("register_silent", "RegisterThing is not answered.", registerFails("silent")),
  trouble("register_malformed", "Its answer has no thing name.", registerFails({ accepted: {} })),
  trouble("register_lost", "Lost while waiting for it.", lostAt(ProvisioningStep.REGISTERING)),
  trouble("subscribe_lost", "Lost while subscribing.", lostAt(ProvisioningStep.CONNECTED)),
  trouble("subscribe_refused", "The policy forbids a subscription at first.", (world) => {
    const { onSubscribe } = world.broker;
    world.broker.onSubscribe = () => {
      world.broker.onSubscribe = onSubscribe;
      return Status.REFUSED;
    };
  }),
  trouble(
    "storing_fails",
    "The token cannot be written at first.",
    statusFailsAt(ProvisioningStep.CERTIFICATE_REQUESTED),
  ),
  trouble(
    "saving_fails",
    "The outcome cannot be written at first.",
    statusFailsAt(ProvisioningStep.REGISTERING),
  ),
  tokenUsed(true, "token_used_and_active", "The new certificate works: it is kept."),
  tokenUsed(false, "token_used_and_dead", "The new certificate never worked: all over again."),
  tokenUsed(
    false,
    "discarding_fails",
    "And that it is given up cannot be written at first.",
    statusFailsAt(ProvisioningStep.PROBING),
  ),
  {
    name: "claim_power_cut_before_registering",
    what: "Power fails when the certificate is in flash: registration goes on with its token.",
    application,
    play: (stage) => {
      const world = claiming(stage);
      world.boot().until(() => world.aws.creates.length === 1);
      world.until(() => world.valuesOf(Event.PROVISIONING).includes(ProvisioningStep.REGISTERING));
      world.powerOff();
      rest(world.boot());
      expectEvent(world, Event.PROVISIONED);
    },
  },
];

function csrFailsOnce(status: number) {
  return (world: World): void => {
    world.csrAnswer = () => {
      world.csrAnswer = world.goodCsr;
      return status;
    };
  };
}
