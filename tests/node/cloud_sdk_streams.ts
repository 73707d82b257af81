// A process of its own that opens streams of the official SDK and prints what they bring, a line of
// JSON each. Its parent kills it: at the normal end of a process that used a stream, the SDK's native
// part (aws-crt) aborts in a finalizer. Started by openStreams in cloud_services_support.ts.

import {
  io,
  iot,
  iotjobs,
  iotshadow,
  mqtt,
  type mqtt_request_response,
} from "aws-iot-device-sdk-v2";

export interface StreamsRequest {
  readonly endpoint: string;
  readonly port: number;
  readonly caPem: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly thingName: string;
  readonly shadowName?: string;
  readonly streams: readonly StreamName[];
}

export type StreamName = "delta" | "documents" | "namedDelta" | "namedDocuments" | "list" | "next";
type Stream = mqtt_request_response.StreamingOperation<unknown>;

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

const request = JSON.parse(process.argv[2]!) as StreamsRequest;
const { thingName, shadowName = "" } = request;
const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(
  request.certificatePem,
  request.privateKeyPem,
)
  .with_certificate_authority(request.caPem)
  .with_endpoint(request.endpoint)
  .with_port(request.port)
  .with_client_id(thingName)
  .with_clean_session(true)
  .build();
const connection = new mqtt.MqttClient(new io.ClientBootstrap()).new_connection(config);
await connection.connect();

const options = {
  maxRequestResponseSubscriptions: 2,
  maxStreamingSubscriptions: 4,
  operationTimeoutInSeconds: 20,
};
const shadow = iotshadow.IotShadowClientv2.newFromMqtt311(connection, options);
const jobs = iotjobs.IotJobsClientv2.newFromMqtt311(connection, options);
const MAKERS: Readonly<Record<StreamName, () => Stream>> = {
  delta: () => shadow.createShadowDeltaUpdatedStream({ thingName }),
  documents: () => shadow.createShadowUpdatedStream({ thingName }),
  namedDelta: () => shadow.createNamedShadowDeltaUpdatedStream({ thingName, shadowName }),
  namedDocuments: () => shadow.createNamedShadowUpdatedStream({ thingName, shadowName }),
  list: () => jobs.createJobExecutionsChangedStream({ thingName }),
  next: () => jobs.createNextJobExecutionChangedStream({ thingName }),
};
for (const name of request.streams) {
  const stream = MAKERS[name]();
  stream.on("subscriptionStatus", ({ type }) => print({ stream: name, status: type }));
  stream.on("incomingPublish", ({ message }) => print({ stream: name, message }));
  stream.open();
}
