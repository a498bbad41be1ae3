"""What `localstack/metrics` shows: read from the logs and the samples of an instance (`logs`), counted by route and by
function (`requests`), by process and by queue (`machine`), as text (`text`), and as a page with charts (`page`, `chart`)."""
