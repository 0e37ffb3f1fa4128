<?php
return [
    'default' => 'sqlite',
    'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => getenv('FOLDER') . '/site.sqlite3', 'prefix' => '']],
    'redis' => [
        'client' => 'phpredis', 'options' => ['prefix' => 'laravel_database_'],
        'default' => ['host' => '127.0.0.1', 'port' => getenv('REDIS') ?: 6379, 'database' => 0],
    ],
];
