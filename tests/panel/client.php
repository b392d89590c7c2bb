<?php
// An integration as they are in the wild: cURL against one URL, arguments in three styles.
// On standard input, in JSON: url, ca, api_id, api_key, calls (each a list of a name and its
// arguments), style (multipart, urlencoded or get; without one they take turns), times (rounds;
// 0 is until killed) and seconds (0 is no limit), pause (seconds after a call that was not
// answered, or with 503). "{n}" in an argument is the number of the call; in multipart, a value
// "@path" is a file.
// On standard output, a JSON line for each answer.
declare(strict_types=1);

const STYLES = ['multipart', 'urlencoded', 'get'];
const TIMEOUT_SECONDS = 300;
const PAUSE_SECONDS = 0.02;

function field(string $value): string|CURLFile
{
    return str_starts_with($value, '@') ? new CURLFile(substr($value, 1)) : $value;
}

/** Send one call; return status, answer and error. */
function call_api(array $given, string $style, array $arguments): array
{
    $all = ['api_id' => $given['api_id'], 'api_key' => $given['api_key']] + $arguments;
    $query = $style === 'get' ? '?' . http_build_query($all) : '';
    $curl = curl_init($given['url'] . $query);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
    if (isset($given['ca'])) {
        curl_setopt($curl, CURLOPT_CAINFO, $given['ca']);
    }
    if ($style === 'multipart') {
        curl_setopt($curl, CURLOPT_POSTFIELDS, array_map(field(...), $all));
    }
    if ($style === 'urlencoded') {
        curl_setopt($curl, CURLOPT_POSTFIELDS, http_build_query($all));
    }
    $body = curl_exec($curl);
    return [
        'status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE),
        'answer' => is_string($body) ? json_decode($body, true) : null,
        'error' => curl_error($curl),
    ];
}

$given = json_decode(stream_get_contents(STDIN), true);
$end = ($given['seconds'] ?? 0) ? microtime(true) + $given['seconds'] : INF;
$rounds = ($given['times'] ?? 1) ?: INF;
$n = 0;
for ($round = 0; $round < $rounds; $round++) {
    foreach ($given['calls'] as [$name, $arguments]) {
        if (microtime(true) >= $end) {
            exit;
        }
        $style = $given['style'] ?? STYLES[$n % count(STYLES)];
        $filled = array_map(
            fn (mixed $value): string => str_replace('{n}', (string) $n, (string) $value),
            $arguments
        );
        $answer = call_api($given, $style, ['call' => $name] + $filled);
        $asked = ['n' => $n, 'call' => $name, 'style' => $style, 'arguments' => (object) $filled];
        echo json_encode($asked + $answer), "\n";
        $n++;
        if ($answer['error'] !== '' || $answer['status'] === 503) {
            usleep((int) (($given['pause'] ?? PAUSE_SECONDS) * 1e6));
        }
    }
}
