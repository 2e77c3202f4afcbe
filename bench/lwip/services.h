// The services of the benchmark on lwIP's raw API.
int start_services(void);
