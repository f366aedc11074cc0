# frozen_string_literal: true

# The forum: topics and posts in PostgreSQL, how often a topic was looked at in Redis.
$stdout.sync = true
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"
require "sprockets/railtie"
require "kramdown"
require "redis"

module Forum
  VERSION = ENV.fetch("DISCOURSE_VERSION", "unknown")

  def self.redis
    @redis ||= Redis.new(host: ENV.fetch("DISCOURSE_REDIS_HOST"))
  end

  class Application < Rails::Application
    config.root = File.expand_path("..", __dir__)
    config.load_defaults 6.1
    config.eager_load = true
    config.hosts.clear
    config.secret_key_base = SecureRandom.hex(64)
    config.public_file_server.enabled = true
    config.active_record.dump_schema_after_migration = false
    config.log_level = :info
    config.logger = ActiveSupport::Logger.new($stdout)
  end
end
