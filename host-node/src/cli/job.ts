// `iot32 job`, `iot32 thing` and `iot32 group`: what is to be done, by whom, in a running cloud.
// Tables for people, the cloud's answers with --json. The rules are the cloud's.

import { Command, Option } from "commander";
import pc from "picocolors";
import { callCloud } from "../cloud/control.js";
import type { ThingSummary } from "../cloud/control_methods.js";
import type {
  ExecutionDescription,
  GroupDescription,
  JobDescription,
  JobSummary,
} from "../cloud/index.js";
import {
  ask,
  CLIENT_NOTES,
  type ClientOptions,
  clientOptions,
  collect,
  detailsText,
  jsonOrFile,
  percentage,
  printable,
  table,
  timeText,
  wholeNumber,
} from "./cloud_client.js";

interface CreateOptions extends ClientOptions {
  readonly document: string;
  readonly thing?: readonly string[];
  readonly group?: readonly string[];
  readonly id?: string;
  readonly description?: string;
  readonly continuous: boolean;
  readonly rate?: number;
  readonly abort?: number;
  readonly abortAfter: number;
  readonly timeout?: number;
}

interface ForceOptions extends ClientOptions {
  readonly force: boolean;
}

interface ListOptions extends ClientOptions {
  readonly status?: string;
}

const CREATE_HELP = `
A job is a JSON document for one or more things; its "action" says to the device what to do. Each thing
gets an execution, which goes from QUEUED to IN_PROGRESS and ends as SUCCEEDED, FAILED, REJECTED,
TIMED_OUT or CANCELED. The document may be given itself or as the name of a file.

Examples:
  iot32 job create --thing lamp --document '{"action":"blink","count":3,"onTime":250,"offTime":500}'
  iot32 job create --group hall --document blink.json --id blink-1 --timeout 10
  iot32 job create --group all --document ota.json --rate 50 --abort 10% --abort-after 20
  iot32 job create --group hall --document hello.json --continuous      things that join later too
${CLIENT_NOTES}`;

const LIST_HELP = `
FAILED counts failed, rejected and timed out executions; ENDED those cancelled or removed;
WAITING the things that the rollout has not reached.

Examples:
  iot32 job list
  iot32 job list --status IN_PROGRESS --json
${CLIENT_NOTES}`;

const DESCRIBE_HELP = `
With --json: the job as AWS's DescribeJob has it, and its "executions".

Example:
  iot32 job describe blink-1
${CLIENT_NOTES}`;

const CANCEL_HELP = `
Executions that are QUEUED become CANCELED. Those IN_PROGRESS may end by themselves; with
--force they become CANCELED too, and the device's next update is refused with
InvalidStateTransition.

Example:
  iot32 job cancel blink-1 --force
${CLIENT_NOTES}`;

const DELETE_HELP = `
A job that is IN_PROGRESS is deleted with --force only. Its executions go with it.

Example:
  iot32 job delete blink-1
${CLIENT_NOTES}`;

/** The command, ready to be added to the program. */
export function jobCommand(): Command {
  return new Command("job")
    .description("create, watch and cancel jobs in a running cloud")
    .addCommand(createCommand())
    .addCommand(
      clientOptions(new Command("list").description("list the jobs"))
        .addOption(
          new Option("-s, --status <status>", "only those").choices([
            "IN_PROGRESS",
            "COMPLETED",
            "CANCELED",
          ]),
        )
        .addHelpText("after", LIST_HELP)
        .action(list),
    )
    .addCommand(
      clientOptions(new Command("describe").description("show a job and its executions"))
        .argument("<job>", "the job's id")
        .addHelpText("after", DESCRIBE_HELP)
        .action(describeJob),
    )
    .addCommand(
      forceOption(new Command("cancel").description("cancel a job"), "what is IN_PROGRESS too")
        .addHelpText("after", CANCEL_HELP)
        .action(cancel),
    )
    .addCommand(
      forceOption(new Command("delete").description("delete a job"), "even if it is IN_PROGRESS")
        .addHelpText("after", DELETE_HELP)
        .action(remove),
    );
}

function createCommand(): Command {
  return clientOptions(new Command("create").description("create a job and begin its rollout"))
    .requiredOption("--document <json|file>", "the job document, up to 32,768 bytes")
    .option("-t, --thing <name>", "a thing to reach (repeatable)", collect)
    .option("-g, --group <name>", "a group of things to reach (repeatable)", collect)
    .option("-i, --id <id>", "1 to 64 of [A-Za-z0-9_-] (default: made up)")
    .option("--description <text>", "for people")
    .option("--continuous", "reach things that join a group later, too", false)
    .option("--rate <things>", "reach so many things a minute at most", wholeNumber)
    .option("--abort <percent>", "cancel the job when so many of a hundred things fail", percentage)
    .option("--abort-after <things>", "but not before so many were reached", wholeNumber, 1)
    .option("--timeout <minutes>", "an execution IN_PROGRESS so long is TIMED_OUT", wholeNumber)
    .addHelpText("after", CREATE_HELP)
    .action(create);
}

function forceOption(command: Command, what: string): Command {
  return clientOptions(command.argument("<job>", "the job's id")).option("--force", what, false);
}

async function create(options: CreateOptions): Promise<void> {
  const { thing, group, id, description, rate, abort, timeout } = options;
  if (thing === undefined && group === undefined) {
    throw new Error("nobody to do it: give --thing or --group");
  }
  const job = {
    document: jsonOrFile(options.document, "--document"),
    things: thing ?? [],
    groups: group ?? [],
    targetSelection: options.continuous ? "CONTINUOUS" : "SNAPSHOT",
    ...(id === undefined ? {} : { jobId: id }),
    ...(description === undefined ? {} : { description }),
    ...(rate === undefined ? {} : { jobExecutionsRolloutConfig: { maximumPerMinute: rate } }),
    ...(timeout === undefined ? {} : { timeoutConfig: { inProgressTimeoutInMinutes: timeout } }),
    ...(abort === undefined ? {} : { abortConfig: abortConfig(abort, options.abortAfter) }),
  };
  await ask(options, "job.create", { job }, (created: JobDescription) => {
    const { jobId, status, jobProcessDetails: counts } = created;
    const reached = `${counts.numberOfQueuedThings} queued, ${counts.numberOfWaitingThings} waiting`;
    return `${pc.bold(jobId)}  ${status}: ${reached}`;
  });
}

function abortConfig(thresholdPercentage: number, minNumberOfExecutedThings: number): object {
  const criteria = { failureType: "ALL", action: "CANCEL" };
  return { criteriaList: [{ ...criteria, thresholdPercentage, minNumberOfExecutedThings }] };
}

async function list(options: ListOptions): Promise<void> {
  const { status } = options;
  await ask(options, "job.list", status === undefined ? {} : { status }, (jobs: JobSummary[]) => {
    if (jobs.length === 0) return "There are no jobs.";
    const head = ["JOB", "STATUS", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "ENDED", "WAITING"];
    return table([...head, "CREATED (UTC)"], jobs.map(rowOf));
  });
}

function rowOf({ jobId, status, createdAt, jobProcessDetails: counts }: JobSummary): string[] {
  const numbers = [
    counts.numberOfQueuedThings,
    counts.numberOfInProgressThings,
    counts.numberOfSucceededThings,
    counts.numberOfFailedThings + counts.numberOfRejectedThings + counts.numberOfTimedOutThings,
    counts.numberOfCanceledThings + counts.numberOfRemovedThings,
    counts.numberOfWaitingThings,
  ];
  return [jobId, status, ...numbers.map(String), timeText(createdAt)];
}

async function describeJob(jobId: string, options: ClientOptions): Promise<void> {
  const executions = (await callCloud(options.dir, "job.executions", {
    jobId,
  })) as ExecutionDescription[];
  const job = (await callCloud(options.dir, "job.describe", { jobId })) as JobDescription;
  const text = options.json
    ? JSON.stringify({ ...job, executions })
    : describeText(job, executions);
  process.stdout.write(`${text}\n`);
}

function describeText(job: JobDescription, executions: readonly ExecutionDescription[]): string {
  const facts: [string, string | undefined][] = [
    ["status", job.reasonCode === undefined ? job.status : `${job.status} (${job.reasonCode})`],
    ["comment", job.comment],
    ["description", job.description],
    ["targets", job.targets.map((target) => target.split(":").slice(5).join(":")).join(", ")],
    ["selection", job.targetSelection],
    ["created", timeText(job.createdAt)],
    ["ended", job.completedAt === undefined ? undefined : timeText(job.completedAt)],
    ["waiting", String(job.jobProcessDetails.numberOfWaitingThings)],
    ["document", job.document],
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(12)}${printable(value)}`],
  );
  const head = ["THING", "STATUS", "VERSION", "STARTED (UTC)", "UPDATED (UTC)", "DETAILS"];
  const rows = executions.map((execution) => [
    execution.thingName,
    execution.status,
    String(execution.versionNumber),
    timeText(execution.startedAt),
    timeText(execution.lastUpdatedAt),
    detailsText(execution),
  ]);
  const listed = rows.length === 0 ? "No thing was reached yet." : table(head, rows);
  return [pc.bold(job.jobId), ...lines, "", listed].join("\n");
}

async function cancel(jobId: string, options: ForceOptions): Promise<void> {
  const { force } = options;
  await ask(options, "job.cancel", { jobId, force }, (job: JobDescription) => {
    const running = job.jobProcessDetails.numberOfInProgressThings;
    const left = running === 0 ? "" : `; ${running} executions IN_PROGRESS go on (see --force)`;
    return `${pc.bold(jobId)}  ${job.status}${left}`;
  });
}

async function remove(jobId: string, options: ForceOptions): Promise<void> {
  const { force } = options;
  await ask(options, "job.delete", { jobId, force }, () => `${pc.bold(jobId)}  deleted`);
}

// --- Things and groups ---

/** The command, ready to be added to the program. */
export function thingCommand(): Command {
  return new Command("thing").description("see the things of a running cloud").addCommand(
    clientOptions(new Command("list").description("list the things"))
      .addHelpText("after", `\nExample:\n  iot32 thing list --json\n${CLIENT_NOTES}`)
      .action(async (options: ClientOptions) => {
        await ask(options, "thing.list", {}, (things: ThingSummary[]) => {
          if (things.length === 0) return "There are no things.";
          const rows = things.map(({ name, connected, groups, certificates, created }) => [
            name,
            connected ? "yes" : "no",
            groups.join(", "),
            String(certificates),
            timeText(created / 1000),
          ]);
          return table(["THING", "CONNECTED", "GROUPS", "CERTIFICATES", "CREATED (UTC)"], rows);
        });
      }),
  );
}

const GROUP_HELP = `
Examples:
  iot32 group create hall
  iot32 group add hall lamp-1 lamp-2
  iot32 job create --group hall --document blink.json
${CLIENT_NOTES}`;

/** The command, ready to be added to the program. */
export function groupCommand(): Command {
  const member = (name: string, what: string, said: string) =>
    clientOptions(new Command(name).description(what))
      .argument("<group>", "name of the group")
      .argument("<things...>", "names of things")
      .addHelpText("after", GROUP_HELP)
      .action((group: string, things: readonly string[], options: ClientOptions) =>
        changeMembers(`group.${name}`, said, { group, things }, options),
      );
  return new Command("group")
    .description("put things of a running cloud into groups, for jobs")
    .addCommand(
      clientOptions(new Command("create").description("make an empty group"))
        .argument("<group>", "name of the group")
        .addHelpText("after", GROUP_HELP)
        .action((group: string, options: ClientOptions) =>
          ask(options, "group.create", { group }, () => `${pc.bold(group)}  created`),
        ),
    )
    .addCommand(member("add", "put things into a group", "joined"))
    .addCommand(member("remove", "take things out of a group", "left"))
    .addCommand(
      clientOptions(new Command("list").description("list the groups and their things"))
        .addHelpText("after", GROUP_HELP)
        .action((options: ClientOptions) =>
          ask(options, "group.list", {}, (groups: GroupDescription[]) => {
            if (groups.length === 0) return "There are no groups.";
            const rows = groups.map(({ name, things }) => [name, things.join(", ")]);
            return table(["GROUP", "THINGS"], rows);
          }),
        ),
    );
}

/** One after the other: the first that is refused ends it, and those before have happened. */
async function changeMembers(
  method: string,
  said: string,
  { group, things }: { readonly group: string; readonly things: readonly string[] },
  options: ClientOptions,
): Promise<void> {
  for (const thing of things) {
    await ask(options, method, { thing, group }, () => `${pc.bold(thing)}  ${said} ${group}`);
  }
}
