# frozen_string_literal: true

port 3000
environment ENV.fetch("RAILS_ENV")
threads 1, 4
