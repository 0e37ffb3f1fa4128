"""nginx as Debian has it, and with buffers as its users raise them for large messages."""

from .peer import Peer, said


class Nginx(Peer):
    name = "nginx"
    executable = "nginx"
    about = "default buffers, inspects nothing"
    buffers = ""
    config = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile @DESCRIPTORS@;
pid @FOLDER@/@NAME@.pid;
error_log stderr error;
events { worker_connections @DESCRIPTORS@; }
http {
  access_log off;
  client_body_temp_path @FOLDER@/@NAME@-body;
  proxy_temp_path @FOLDER@/@NAME@-proxy;
  fastcgi_temp_path @FOLDER@/@NAME@-fastcgi;
  uwsgi_temp_path @FOLDER@/@NAME@-uwsgi;
  scgi_temp_path @FOLDER@/@NAME@-scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ecdh_curve X25519:prime256v1;
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection upgrade;
  proxy_set_header Host $host;
  proxy_read_timeout 1h;
  proxy_send_timeout 1h;
  @BUFFERS@
  server {
    listen 127.0.0.1:@TLS@ ssl backlog=4096;
    server_name @HOST@;
    ssl_certificate @FOLDER@/ecdsa.crt;
    ssl_certificate_key @FOLDER@/ecdsa.key;
    location / { proxy_pass http://127.0.0.1:@BACKEND@; }
  }
  server {
    listen 127.0.0.1:@RSA@ ssl backlog=4096;
    server_name @HOST@;
    ssl_certificate @FOLDER@/rsa.crt;
    ssl_certificate_key @FOLDER@/rsa.key;
    location / { proxy_pass http://127.0.0.1:@BACKEND@; }
  }
  server {
    listen 127.0.0.1:@PLAIN@ backlog=4096;
    server_name @HOST@;
    location / { proxy_pass http://127.0.0.1:@BACKEND@; }
  }
}
"""

    def filled(self, text):
        return super().filled(text.replace("@NAME@", self.name).replace("@BUFFERS@", self.buffers))

    def command(self, config):
        return [self.program(), "-p", self.folder, "-e", "stderr", "-c", config]

    def version(self):
        return said([self.program(), "-v"]).removeprefix("nginx version: ")


class Nginx64k(Nginx):
    name = "nginx-64k"
    about = "64 KiB buffers, inspects nothing"
    buffers = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
