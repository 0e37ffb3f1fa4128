# usage: app.rb cookie FOLDER | store FOLDER    the encrypted cookie, or a table of SQLite with the columns of activerecord-session_store
require "logger"
require "rails"
require "action_controller/railtie"
require "sqlite3"

STORE, FOLDER = ARGV

# Keeps sessions as activerecord-session_store does with its serializer JSON, under the hash of their public id.
class TableStore < ActionDispatch::Session::AbstractSecureStore
  def initialize(app, options = {})
    super
    @table = SQLite3::Database.new("#{FOLDER}/site.sqlite3")
    @table.busy_timeout = 5000
    @table.execute("create table sessions (session_id varchar unique, data text, created_at datetime, updated_at datetime)")
  end

  def find_session(_request, id)
    row = id && @table.get_first_row("select data from sessions where session_id = ?", [id.private_id])
    row ? [id, JSON.parse(row.first)] : [generate_sid, {}]
  end

  def write_session(_request, id, session, _options)
    @table.execute("replace into sessions values (?, ?, datetime(), datetime())", [id.private_id, JSON.generate(session)])
    id
  end

  def delete_session(_request, id, _options)
    @table.execute("delete from sessions where session_id = ?", [id.private_id])
    generate_sid
  end
end

class App < Rails::Application
  config.root = FOLDER
  config.eager_load = false
  config.consider_all_requests_local = true
  config.load_defaults 6.1
  config.logger = Logger.new($stderr, level: :error)
  config.hosts.clear
  config.secret_key_base = ENV.fetch("SECRET")
  config.action_dispatch.cookies_serializer = :json
  if STORE == "store"
    config.session_store TableStore, key: "_app_session"
  else
    config.session_store :cookie_store, key: "_app_session", expire_after: Integer(ENV.fetch("LIFETIME", "3600"))
  end
end
App.initialize!

class UsersController < ActionController::Base
  skip_forgery_protection

  def visit
    session[:visits] = session.fetch(:visits, 0) + 1
    render plain: "hello"
  end

  def login
    reset_session
    session[:user_id] = params[:user]
    render plain: "welcome"
  end

  def me
    render plain: session[:user_id].to_s
  end

  def logout
    reset_session
    render plain: "bye"
  end
end

Rails.application.routes.draw do
  get "/visit", to: "users#visit"
  post "/login", to: "users#login"
  get "/me", to: "users#me"
  post "/logout", to: "users#logout"
end

require "rack/handler/webrick"
Rack::Handler::WEBrick.run(App, Host: "127.0.0.1", Port: 0, Logger: WEBrick::Log.new(File::NULL), AccessLog: []) do |server|
  puts "listening #{server.listeners.first.addr[1]}"
  $stdout.flush
end
