"""The Kafka broker of the local run: librdkafka's mock cluster, which has all that a producer and a consumer group need."""
