# frozen_string_literal: true

class ApplicationController < ActionController::Base
  skip_forgery_protection
  rescue_from(ActiveRecord::RecordNotFound) { head :not_found }
end
