<?php
return [
    'driver' => getenv('DRIVER'), 'lifetime' => 120, 'expire_on_close' => false, 'encrypt' => false,
    'files' => getenv('FOLDER') . '/storage/framework/sessions', 'connection' => null, 'table' => 'sessions', 'store' => null, 'lottery' => [2, 100],
    'cookie' => 'laravel_session', 'path' => '/', 'domain' => null, 'secure' => false, 'http_only' => true, 'same_site' => 'lax',
];
